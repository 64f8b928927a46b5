"""The pages of a desk, a router each."""
