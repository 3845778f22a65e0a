//! Snapshots of the pages.
