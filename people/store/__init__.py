"""Tables, migrations, and queries with names."""
