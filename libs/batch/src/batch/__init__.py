"""Per-row background batches: frozen ids, a result per item with its reason, progress, cancel, resume (design §2.7)."""
