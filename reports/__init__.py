"""What marketing is told: metrics, charts, exports."""
