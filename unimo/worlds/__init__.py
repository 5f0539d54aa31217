"""Generated worlds: small data with known truth on which the whole system can be trained and checked in minutes."""
