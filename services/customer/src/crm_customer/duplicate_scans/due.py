"""Scans go on in the background."""

from chassis.due import DueTask
from crm_customer.duplicate_scans.scanning import forget_keys, scan_on

SCANS = (DueTask("scan-duplicates", 2, scan_on), DueTask("forget-scan-keys", 60, forget_keys))
