"""What shows Reshelve at work, outside what is installed."""
