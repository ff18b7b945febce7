"""What the facts of many mails mean: sender state, class and plan; pure, the time an argument."""
