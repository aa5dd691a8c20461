"""The only place that imports client libraries; their errors become ours here."""
