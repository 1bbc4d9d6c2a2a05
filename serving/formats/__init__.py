"""What goes over the wire: rows in, answers out, and how both are described."""
