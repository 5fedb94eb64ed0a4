"""The streams that import writes: its facts, and the work queue of splits, chunks and exports."""

from chassis.events.streams import Queue, Stream, event_stream

EVENTS = event_stream("imports")
SPLIT_SUBJECT = "crm.imports_work.split"
CHUNK_SUBJECT = "crm.imports_work.chunk"
EXPORT_SUBJECT = "crm.imports_work.export"
WORK = Stream("CRM_IMPORTS_WORK", ("crm.imports_work.>",), work_queue=True, max_bytes=256 * 1024**2)
SPLIT_QUEUE = Queue("import-split", WORK.name, SPLIT_SUBJECT)
CHUNK_QUEUE = Queue("import-chunk", WORK.name, CHUNK_SUBJECT)
EXPORT_QUEUE = Queue("import-export", WORK.name, EXPORT_SUBJECT)
