//! What comes from a server or a repository may be anything: nothing of it may panic.

use bytes::Bytes;
use gix_hash::ObjectId;
use proptest::prelude::*;

use crate::known_hosts::KnownHosts;
use crate::object::{Commit, Tag, parse_tree};
use crate::packet::{PacketReader, Source};
use crate::submodule::parse_gitmodules;
use crate::upload_pack::read_advertisement;

fn id() -> ObjectId {
    ObjectId::null(gix_hash::Kind::Sha1)
}

/// Bytes with a liking for what parsers look for.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"tree ".to_vec()),
        Just(b"object ".to_vec()),
        Just(b"gpgsig ".to_vec()),
        Just(b"-----BEGIN PGP SIGNATURE-----".to_vec()),
        Just(b"\n ".to_vec()),
        Just(b"\n\n".to_vec()),
        Just(b"100644 a\0".to_vec()),
        Just(b"40000 ..\0".to_vec()),
        Just(b"[submodule \"x\"]\n".to_vec()),
        Just(b"path = \"a\\".to_vec()),
        Just(b"@cert-authority *,!h |1|AA==|AA== ".to_vec()),
        Just(vec![0; 20]),
        Just(b"0000".to_vec()),
        Just(b"0001".to_vec()),
        Just(b"000eversion 2\n".to_vec()),
        Just(b"0008ERR ".to_vec()),
        Just(b"ffff".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..24),
        proptest::collection::vec(b'0'..=b'f', 4),
    ];
    proptest::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn objects(data in bytes()) {
        let _ = parse_tree(&id(), &data, "");
        let _ = Tag::parse(&id(), &data);
        let _ = Tag::target(&data);
        if let Ok(commit) = Commit::parse(&id(), &data) {
            prop_assert!(commit.subject().chars().count() <= 53);
            prop_assert!(commit.payload.len() <= data.len());
        }
    }

    #[test]
    fn files(data in bytes(), host in "[a-z.*\\[\\]]{0,12}") {
        let text = String::from_utf8_lossy(&data);
        let _ = parse_gitmodules(&text);
        let known = KnownHosts::new(&data, &host, 22);
        prop_assert!(known.algorithms().len() <= data.len());
    }

    #[test]
    fn advertisements(data in bytes(), cut in 1usize..9) {
        let chunks = data.chunks(cut).map(Bytes::copy_from_slice).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let _ = runtime.block_on(read_advertisement(&mut PacketReader::new(Source::Memory(chunks))));
    }
}
