"""What a bench found, said once: as tables on a terminal, as a page with drawings, as a part of a document."""
