"""What applications do and suffer, without touching them."""
