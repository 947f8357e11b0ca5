"""Tables, sentences and figures of the documents, made from recorded results."""
