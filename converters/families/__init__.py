"""One module per architecture: its sizes, its tensor table and its few transforms; no IO."""
