"""Every word of a report: one YAML file per language, with the same keys."""
