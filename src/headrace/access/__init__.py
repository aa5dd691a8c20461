"""Who may: what proves who calls, what each may do, and how much."""
