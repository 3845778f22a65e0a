pub mod pages {
    #[derive(Debug)]
    pub struct Unreadable;
    impl std::fmt::Display for Unreadable {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "x")
        }
    }
    pub fn count(_: &[u8]) -> Result<u32, Unreadable> {
        Ok(1)
    }
}
