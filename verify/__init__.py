"""Cases, sessions, evidence, decisions, tokens and receipts. No HTTP."""
