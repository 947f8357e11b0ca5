"""What a step of training costs, of ours and of others, and what saves time and memory."""
