use super::*;

/// Runs one check against every kind of store.
pub(super) fn check(claim: impl Fn(&mut dyn Store)) {
    claim(&mut MemoryStore::new());
    let folder = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(&folder.path().join("store")).unwrap();
    claim(&mut store);
}

pub(super) fn put_row(key: &[u8], value: &[u8]) -> Write {
    Write::Put { key: key.to_vec(), value: value.to_vec() }
}

pub(super) fn delete_row(key: &[u8]) -> Write {
    Write::Delete { key: key.to_vec() }
}

pub(super) fn rows(store: &dyn Store, prefix: &[u8]) -> Vec<Row> {
    store.scan(prefix).map(Result::unwrap).collect()
}

#[test]
fn a_batch_puts_replaces_and_deletes() {
    check(|store| {
        store.commit(&[put_row(b"m1", b"one"), put_row(b"m2", b"two")]).unwrap();
        store.commit(&[put_row(b"m1", b"uno"), delete_row(b"m2"), put_row(b"m3", b"")]).unwrap();
        assert_eq!(store.get(b"m1").unwrap().as_deref(), Some(&b"uno"[..]));
        assert_eq!(store.get(b"m2").unwrap(), None);
        assert_eq!(store.get(b"m3").unwrap().as_deref(), Some(&b""[..]));
    });
}

#[test]
fn of_two_writes_to_one_row_the_last_stands() {
    check(|store| {
        store.commit(&[put_row(b"m", b"1"), delete_row(b"m"), put_row(b"m", b"2")]).unwrap();
        assert_eq!(rows(store, b"m"), [(b"m".to_vec(), b"2".to_vec())]);
    });
}

#[test]
fn a_scan_gives_the_rows_under_its_prefix_in_order() {
    check(|store| {
        let keys: [&[u8]; 6] = [b"b", b"a", b"a\xff\xff", b"ab", b"", b"a\x00"];
        store.commit(&keys.map(|key| put_row(key, key))).unwrap();
        let found: Vec<_> = rows(store, b"a").into_iter().map(|(key, _)| key).collect();
        assert_eq!(found, [&b"a"[..], b"a\x00", b"ab", b"a\xff\xff"]);
        assert_eq!(rows(store, b"").len(), 6, "the store's own rows are not shown");
    });
}

#[test]
fn what_is_over_the_limits_is_refused_and_changes_nothing() {
    check(|store| {
        let longest = vec![7; STORE_VALUE_BYTES_MAX];
        store.commit(&[put_row(&[b'k'; STORE_KEY_BYTES_MAX], &longest)]).unwrap();
        let too_long = [put_row(b"a", b"fits"), put_row(b"b", &[longest, vec![7]].concat())];
        assert!(matches!(store.commit(&too_long), Err(StoreError::TooLarge { bytes: 4097 })));
        let long_key = [delete_row(&[b'k'; STORE_KEY_BYTES_MAX + 1])];
        assert!(matches!(store.commit(&long_key), Err(StoreError::TooLarge { bytes: 257 })));
        assert_eq!(store.get(b"a").unwrap(), None);
        store.commit(&[put_row(b"a", b"fits")]).expect("a refusal does not latch");
    });
}

#[test]
fn a_sealed_row_is_read_only_under_its_key_and_unaltered() {
    let value = row::seal(b"m1", &[b"some", b"thing"]);
    assert_eq!(row::unseal(b"m1", &value, "test").unwrap(), b"something");
    assert!(row::unseal(b"m2", &value, "test").is_err());
    for bit in 0..value.len() * 8 {
        let mut altered = value.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(row::unseal(b"m1", &altered, "test").is_err(), "bit {bit}");
    }
    assert!(row::unseal(b"m1", &value[..4], "test").is_err());
}
