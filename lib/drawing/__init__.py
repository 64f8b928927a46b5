"""The demo's catalog: product-like pictures drawn on the spot, with titles and labels."""
