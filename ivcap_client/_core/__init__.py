"""What the platform means, said once for every front and every transport."""
