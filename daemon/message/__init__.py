"""What one mail says and may do: pure, from bytes to facts to a verdict; no network, no clock."""
