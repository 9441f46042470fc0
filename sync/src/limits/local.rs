//! Other processes of the same user that work through the node of a home.

use std::time::Duration;

/// Longest first frame of either side: a version.
pub const LOCAL_HELLO_BYTES_MAX: usize = 256;

/// How long the first frames may take. The other side may be in the middle of admitting a large block.
pub const LOCAL_HELLO_TIME: Duration = Duration::from_secs(5);

/// Longest frame of a guest: a message or a block, as JSON, where each byte may take six.
pub const LOCAL_FRAME_BYTES_MAX: usize = 1024 * 1024;

/// Longest frame that a guest takes: a conversation of some million messages as one document.
pub const LOCAL_ANSWER_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Events that may wait in a guest before it stops reading: as many as in the loop.
pub const LOCAL_EVENTS_READ_MAX: usize = 4_096;

/// Most processes at one home beside the one that holds it: scripts started by the dozen.
pub const GUESTS_MAX: usize = 64;

/// Questions of one guest that wait for their answer.
pub const GUEST_ASKS_MAX: usize = 64;

/// Bytes of events that wait for one guest. One that reads more slowly than that is let go; it comes back and reads
/// what it missed.
pub const GUEST_QUEUE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Frames that wait for one guest: more than fill [`GUEST_QUEUE_BYTES_MAX`] with short messages.
pub const GUEST_QUEUE_FRAMES_MAX: usize = 32_768;

/// How long guests are waited for at the end, so that they read what was told last.
pub const LOCAL_PARTING_TIME: Duration = Duration::from_secs(1);
