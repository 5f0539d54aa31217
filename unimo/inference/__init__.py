"""What a trained model is used for beyond scores: predictions in the forms that others expect."""
