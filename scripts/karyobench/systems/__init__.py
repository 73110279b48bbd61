"""One module per system; `registry` finds them."""
