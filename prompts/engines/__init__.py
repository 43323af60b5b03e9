"""Synthesisers behind one small interface (`engine.Engine`), and the choice between them."""
