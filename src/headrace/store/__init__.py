"""What is kept beside the journal: users, chats, messages, runs."""
