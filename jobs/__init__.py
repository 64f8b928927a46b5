"""What is submitted: one thin file a job."""
