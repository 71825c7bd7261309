"""The Hugging Face dialect: what a reader compares with the real client."""
