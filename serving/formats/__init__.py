"""Formats on the wire: rows in, answers out."""
