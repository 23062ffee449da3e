//! Names that no other test uses.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// `stem` with an ending that is unique among all processes of a run and among runs on a kept cluster: for topics,
/// groups, connectors and client ids on shared services.
pub fn unique(stem: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{stem}-{:x}-{:x}-{number}", now & 0xff_ffff_ffff, std::process::id())
}
