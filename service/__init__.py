"""Put the parts together: settings and the command line."""
