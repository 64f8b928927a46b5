"""What is submitted: one thin file per job."""
