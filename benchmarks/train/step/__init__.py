"""What a step takes: its batch, its optimizer and learning rate, its numeric precision, its compiled backbone."""
