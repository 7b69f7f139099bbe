"""What programs call and use, compiled into them: headers of packets, functions on packets and numbers."""
