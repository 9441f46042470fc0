//! PROTOCOL.md, "Bundle".

use super::bytes::{Bytes, Read, hash};
use super::entry::{Id, verify};

/// The room of a bundle and its blocks, still to be read.
pub(crate) fn read(file: &[u8]) -> Read<(Id, Vec<&[u8]>)> {
    let mut bytes = Bytes(file);
    if bytes.take(17)? != b"replica bundle 1\n" {
        return Err("no bundle");
    }
    let room = bytes.array()?;
    let mut blocks = Vec::new();
    loop {
        match bytes.number(4)? {
            0 => break,
            length if length > 65_503 => return Err("a block that is too long"),
            length => blocks.push(bytes.take(usize::try_from(length).unwrap())?),
        }
    }
    let author: [u8; 32] = bytes.array()?;
    let signed = &file[..file.len() - bytes.0.len()];
    let signature = bytes.array()?;
    bytes.end()?;
    let message = [b"replica/1/bundle\0".as_slice(), &hash(&[signed])].concat();
    if !verify(&author, &message, &signature) {
        return Err("a bundle that its maker did not sign");
    }
    Ok((room, blocks))
}
