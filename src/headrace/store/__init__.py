"""What is kept beside the journal: users and what lets them in, chats, messages, runs."""
