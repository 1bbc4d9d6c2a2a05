"""What the service is measured beside: plain Flask applications."""
