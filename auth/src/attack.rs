//! The attack table as tests: one module per group, each case named by its row.

#![expect(
    clippy::type_complexity,
    clippy::too_many_lines,
    reason = "a table of cases is one value, read row by row"
)]

mod b_identity;
mod c_forwarded;
mod d_browser;
mod e_credentials;
mod f_limits;
mod fixture;
mod g_parsing;
mod h_devices;
mod h_pairing;
mod properties;
mod vectors;
mod wire;
