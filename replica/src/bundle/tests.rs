use super::{Bundle, BundleError, Writer};
use crate::id::RoomId;
use crate::identity::Identity;
use crate::limits::BLOCK_BYTES_MAX;

fn bundle() -> Vec<u8> {
    let mut writer = Writer::new(&RoomId([7; 32]));
    writer.add(b"one");
    writer.add(&[2; 300]);
    writer.finish(&Identity::from_secret(&[1; 32]))
}

#[test]
fn a_bundle_is_read_as_it_was_written() {
    let bytes = bundle();
    let read = Bundle::read(&bytes).unwrap();
    assert_eq!(read.room, RoomId([7; 32]));
    assert_eq!(read.author, Identity::from_secret(&[1; 32]).key());
    let blocks: Vec<&[u8]> = read.blocks.into_iter().map(|at| &bytes[at]).collect();
    assert_eq!(blocks, [b"one".as_slice(), &[2; 300]]);
}

#[test]
fn a_bundle_that_was_cut_off_anywhere_is_refused() {
    let bytes = bundle();
    for end in 0..bytes.len() {
        assert!(Bundle::read(&bytes[..end]).is_err(), "the first {end} bytes passed");
    }
    let longer = [bytes, vec![0]].concat();
    assert_eq!(Bundle::read(&longer).unwrap_err(), BundleError::Length);
}

#[test]
fn a_bundle_with_any_bit_flipped_is_refused() {
    let bytes = bundle();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(Bundle::read(&flipped).is_err(), "byte {at} was altered and it passed");
    }
}

#[test]
fn no_block_of_a_bundle_is_longer_than_a_block() {
    let mut writer = Writer::new(&RoomId([7; 32]));
    writer.add(&vec![0; BLOCK_BYTES_MAX + 1]);
    let bytes = writer.finish(&Identity::from_secret(&[1; 32]));
    assert_eq!(Bundle::read(&bytes).unwrap_err(), BundleError::Length);
}

#[test]
fn the_bytes_of_a_bundle_are_those_of_the_protocol() {
    let bytes = Writer::new(&RoomId([7; 32])).finish(&Identity::from_secret(&[1; 32]));
    let protocol = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../PROTOCOL.md")).unwrap();
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    let lines: Vec<&str> = hex.as_bytes().chunks(96).map(|line| str::from_utf8(line).unwrap()).collect();
    assert!(protocol.contains(&lines.join("\n")), "{}", lines.join("\n"));
}
