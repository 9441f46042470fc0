use data_encoding::HEXLOWER;

use super::*;

/// So that tests take no time.
const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned()).unwrap()
}

fn owner() -> Identity {
    Identity::from_secret(&[1; 32])
}

fn sealed(cost: Cost) -> Vec<u8> {
    seal(&owner(), &passphrase("correct horse"), &[7; RANDOM_BYTES], cost).unwrap()
}

/// With the checksum of what is there now.
fn with_sum(mut bytes: Vec<u8>) -> Vec<u8> {
    let length = bytes.len() - 4;
    let sum = crc32fast::hash(&bytes[..length]).to_be_bytes();
    bytes[length..].copy_from_slice(&sum);
    bytes
}

#[test]
fn a_key_comes_back_by_its_passphrase_alone() {
    let bytes = sealed(CHEAP);
    assert_eq!(unseal(&bytes, &passphrase("correct horse")).unwrap().secret(), owner().secret());
    for wrong in ["correct horse ", "Correct horse", "x"] {
        assert_eq!(unseal(&bytes, &passphrase(wrong)).unwrap_err(), UnsealError::WrongPassphrase);
    }
    assert_eq!(sealed_key(&bytes), Ok(owner().key()));
}

#[test]
fn the_secret_is_not_to_be_seen() {
    let bytes = sealed(CHEAP);
    assert!(!bytes.windows(8).any(|part| part == &owner().secret()[..8]));
    assert!(!format!("{:?}", passphrase("correct horse")).contains("horse"));
}

#[test]
fn a_damaged_file_is_told_from_a_wrong_passphrase() {
    let bytes = sealed(CHEAP);
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 4;
        assert_eq!(
            unseal(&altered, &passphrase("correct horse")).unwrap_err(),
            UnsealError::Damaged,
            "byte {at}"
        );
        assert_eq!(unseal(&bytes[..at], &passphrase("correct horse")).unwrap_err(), UnsealError::Damaged);
    }
}

#[test]
fn no_field_can_be_altered_with_the_checksum() {
    let bytes = sealed(CHEAP);
    // The version and the cost aside, which have tests of their own.
    for at in 9..bytes.len() - 4 {
        let mut altered = bytes.clone();
        altered[at] ^= 4;
        let wrong = unseal(&with_sum(altered), &passphrase("correct horse")).unwrap_err();
        assert_eq!(wrong, UnsealError::WrongPassphrase, "byte {at}");
    }
}

#[test]
fn a_file_cannot_ask_for_all_memory_or_all_time() {
    for (at, cost) in [
        (1, Cost { memory_kib: 64 * 1024 * 1024, passes: 1 }),
        (1, Cost { memory_kib: u32::MAX, passes: 1 }),
        (1, Cost { memory_kib: SEALING_MEMORY_KIB_MAX + 1, passes: 1 }),
        (5, Cost { memory_kib: 8, passes: SEALING_PASSES_MAX + 1 }),
    ] {
        let mut bytes = sealed(CHEAP);
        let field = if at == 1 { cost.memory_kib } else { cost.passes };
        bytes[at..at + 4].copy_from_slice(&field.to_be_bytes());
        let refused = unseal(&with_sum(bytes), &passphrase("correct horse")).unwrap_err();
        assert_eq!(refused, UnsealError::TooCostly(cost));
    }
    let mut bytes = sealed(CHEAP);
    bytes[1..9].fill(0);
    assert_eq!(unseal(&with_sum(bytes), &passphrase("x")).unwrap_err(), UnsealError::Damaged);
}

#[test]
fn a_passphrase_is_neither_empty_nor_endless() {
    assert_eq!(Passphrase::new(String::new()).unwrap_err(), PassphraseError);
    assert!(Passphrase::new("x".repeat(PASSPHRASE_BYTES_MAX)).is_ok());
    assert_eq!(Passphrase::new("x".repeat(PASSPHRASE_BYTES_MAX + 1)).unwrap_err(), PassphraseError);
}

#[test]
fn the_golden_bytes_are_those_of_the_protocol() {
    let bytes = HEXLOWER.encode(&sealed(Cost::default()));
    let protocol: String = include_str!("../../../../PROTOCOL.md").split_whitespace().collect();
    assert!(protocol.contains(&bytes), "{bytes}");
}
