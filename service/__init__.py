"""Put the parts together: settings, command line, and the application of each role."""
