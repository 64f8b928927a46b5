"""What Reshelve's users would otherwise run, each as its own documentation shows it."""
