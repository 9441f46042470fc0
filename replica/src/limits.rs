//! Every fixed limit of entries, blocks, store and documents, each with its reason. Those of entries decide validity, and
//! that of a document's entries what documents hold: they never change. The limits that only pace a connection live in
//! the sync crate.

/// Longest message text, in bytes of UTF-8: a long mail, and small enough to live in memory by the thousand.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// Longest body of any kind, known or not. Leaves later kinds some room beside a message's text.
pub const BODY_BYTES_MAX: usize = MESSAGE_BYTES_MAX + 512;

/// Longest nickname or room name, in bytes of UTF-8. Shown cut to 32 graphemes.
pub const NAME_BYTES_MAX: usize = 128;

/// Longest topic, in bytes of UTF-8: two lines of a wide screen. What is longer is an entry that says nothing.
pub const TOPIC_BYTES_MAX: usize = 512;

/// Most dependencies beside `previous`. An author that has seen more heads names those with the greatest order keys.
pub const DEPENDENCIES_MAX: usize = 64;

/// Most entries a removal names as still counting: tips of the removed person's chains, one for each of their homes and
/// branches. What is not named does not count.
pub const REMOVAL_SEEN_MAX: usize = 64;

/// Largest claimed time: 48 bits of milliseconds, some 8,900 years.
pub const TIME_MS_MAX: u64 = (1 << 48) - 1;

/// Longest canonical record: the fixed fields, all dependencies and the longest body.
pub const RECORD_BYTES_MAX: usize = 1 + 2 + 40 + 4 + 32 + 1 + DEPENDENCIES_MAX * 32 + 6 + BODY_BYTES_MAX;

/// Largest block, as stored and as sent: what one Noise message can carry.
pub const BLOCK_BYTES_MAX: usize = 65_519 - 16;

/// Largest block once inflated: every block could also be put down uncompressed. One that inflates to more is refused
/// before anything is allocated for it.
pub const BLOCK_INFLATED_BYTES_MAX: usize = BLOCK_BYTES_MAX;

/// Most entries in one block; with it the numbers in a block's columns stay within two bytes.
pub const BLOCK_ENTRIES_MAX: usize = 2_048;

/// Most entries of a preview: a screen.
pub const PREVIEW_ENTRIES_MAX: usize = 64;

/// Largest preview once inflated: as a block, it fits a frame however well it packs.
pub const PREVIEW_BYTES_MAX: usize = BLOCK_BYTES_MAX - 512;

/// Longest value handed to the store. Larger sled pages go to blob files that are never synced.
pub const STORE_VALUE_BYTES_MAX: usize = 4 * 1024;

/// Longest key handed to the store: room for a document's name and what names its parts.
pub const STORE_KEY_BYTES_MAX: usize = 256;

/// Most parts of a saved document in one commit, some 256 KiB: the store thread is not kept from other writes for long.
pub const SAVED_PARTS_PER_COMMIT: usize = 64;

/// Longest name of a saved document.
pub const SAVED_NAME_BYTES_MAX: usize = 128;

/// Most entries of one document before its period is kept in shorter ones.
pub const DOCUMENT_ENTRIES_MAX: usize = 32 * 1024;

/// Memory that sealing a key fills, in KiB: what RFC 9106 recommends for machines with little of it.
pub const SEALING_MEMORY_KIB: u32 = 64 * 1024;

/// How often it is filled: as RFC 9106 recommends for that much memory.
pub const SEALING_PASSES: u32 = 3;

/// Most memory that opening a sealed key may fill, in KiB: a file from elsewhere must not take the machine down.
pub const SEALING_MEMORY_KIB_MAX: u32 = 256 * 1024;

/// Most passes that opening a sealed key may take; with the most memory some seconds.
pub const SEALING_PASSES_MAX: u32 = 16;

/// Longest bundle: read into memory as a whole, it holds a dozen million messages.
pub const BUNDLE_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// Longest passphrase, in bytes: longer than anybody types, and not a whole file by mistake.
pub const PASSPHRASE_BYTES_MAX: usize = 1_024;

/// Largest store whose files are kept in memory while it is opened, to be put back if they prove damaged. Of larger ones
/// a damaged one is left as sled leaves it; some half a million entries are below.
pub const STORE_UNDO_BYTES_MAX: u64 = 64 * 1024 * 1024;
