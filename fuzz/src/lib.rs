//! What the fuzz targets share. A world of replicas is driven by a script and then held against a naive reading of the
//! design, in code that shares nothing with what it judges.
//!
//! - [`scenario`]: bytes as scripts
//! - [`examine`]: a script run to its end, and everything that must hold then
//! - [`naive`]: order and membership, in the simplest way there is
//! - [`dag`]: the order of any history
//! - [`formats`]: bytes of strangers
//! - [`gate`]: entries with good signatures, valid or not
//! - [`recovery`]: a log on a failing store
//! - [`hostile`]: a member who does whatever it likes
//!
//! `run.sh SECONDS` runs every target; `planted.sh` shows that the first one finds bugs.

pub mod dag;
pub mod examine;
pub mod formats;
pub mod gate;
pub mod hostile;
pub mod naive;
pub mod recovery;
pub mod scenario;
