// Known answers for signature key pairs.
#pragma once

// SLH-DSA: private keys of NIST's ACVP server (gen-val/json-files/SLH-DSA-keyGen-FIPS205), one for each
// parameter set. The first 3n bytes are the seed that they are made from, the last 2n bytes are the public
// key (FIPS 205 section 9.1).
struct slh_dsa_answer {
    const char *algorithm;
    const char *private_key;
};

static const struct slh_dsa_answer slh_dsa_answers[] = {
    {"SLH-DSA-SHA2-128s", "aa9cc7dca491fc86bcb15a709a15e9b3905c800b6e2fb9b54b6b050ee5e4de9a"
                          "fa5464d1c661fed38b2a51ca3eae71bacae3d1865215e3d3850e8c1b8292bf42"},
    {"SLH-DSA-SHAKE-128s", "ecd0a05696c2ec6bfe85b8b1b2022486bfd8732b1a42cea236e9822aa9e724e6"
                           "37d664792198176c12e8121ccf69e684fcf6ffe2a04243dc3e8ed3ee6e44cdef"},
    {"SLH-DSA-SHA2-128f", "e2bdaa37c8cffe5e8d5676c23267890c31441758f573285881cdc82ab911dd84"
                          "72dc8d26df6ef708f4c41af9fd04b65a8927927229891d47a60d67ecef3d2c17"},
    {"SLH-DSA-SHAKE-128f", "bbc74306f75dc2daf7372b3c9841a4d6852c17b459f1692b8e9a1a0dace5ba26"
                           "380c99304a0ddd32f344b95144e1fdef60bbc2340e08770fb41a80a76cb08e34"},
    {"SLH-DSA-SHA2-192s", "c4d462d66a8c00a70dcc01415ec3bd35ab9c8718a5a98d61c43c27677ebdc29f"
                          "619862922c248ef84f0a5ee3c3aac060447ba0ddb26574b3d7c8d8dd5744e5b8"
                          "fe75c4f7a3ff783298d97c0f31fc08e625cbe5187c26ecbdf54f206f598970c6"},
    {"SLH-DSA-SHAKE-192s", "2d5748b1acda8299e2e905545d2e66dfcec02461bc3673dd9d830416b1b82a66"
                           "5dd435a3f3a8e2124df59a0e2bc2ec73633ff65c724ae17045c094617549081c"
                           "940f2ef4d4a10e7559c7503fe1e96fb67b0e32acdcf712fbef610f8d21daac86"},
    {"SLH-DSA-SHA2-192f", "942dd588b0e0636060b1023baf1df36002b9d3c7256904f948596f0f2f175055"
                          "85f022423433b3a3ef50977b98b01e8e3e1d7dcf880c2ea3c8872122a996d5d6"
                          "233bdfbd57fa641fad3c81bbe6778b1f788195131b3fca91854ff3b075bf0009"},
    {"SLH-DSA-SHAKE-192f", "3b7889d254f5ad87882dacbf3c58495667401601ec4739797e935cbc27f3d7cd"
                           "627b611cbef7546c7f27751e18155cc4266b6fb56bd0d922e0482700a4280cc1"
                           "f07052804a8f46fded3954ba0a9da45d0d18867437777f60211bb9cd03a60d4b"},
    {"SLH-DSA-SHA2-256s", "ae6ca8664ec0b9179d4e33c4defe01fcd589f60ba4502fe7416f2acd96e139f1"
                          "3fda2069147f44eabd5bbf29c74a20cb0f0cc2a12bab5834b773530af504900a"
                          "134d5ed3c60b46344a84a45d4683b1ac55fb22886ba9478ea9ca93f27b9aa2c2"
                          "7c5c9908f086e57956f85de84b438ef1f082cd176dff3c5b8be710bc8699a143"},
    {"SLH-DSA-SHAKE-256s", "a653918fa557b5250d11e96a74f5d8c62b5ff67152acf227aaf4bf5211aa600e"
                           "961b4e679ceb9d4e24df86ed22f405d8ede5623672f4737fc2fb65f8bf3b556c"
                           "315a5e795b701676e6b8309c89cc6ad0c3d69ff4f7f432dc61329fbb1be6069f"
                           "0887b1a8f1b3a8b9770a0871630e46dd0479c5bd123e8eeb6be70f2999c466a1"},
    {"SLH-DSA-SHA2-256f", "a15d8300b7f610971f278f22dd603d17eeb9863aa4fa92f07dc7e73b23112002"
                          "6d7c0ff12a8bf1f8720c3534dc7d1a04d0d7f899088210ccbbfe627315a522c1"
                          "bdcad4d6821d32168c6d8105e6b226399f861e0d1110a53eb47aa3e118e25934"
                          "09a049ce3b61c4a6fd6ca1613a4b47281585e92de822bf798429b2e9257a2e60"},
    {"SLH-DSA-SHAKE-256f", "d50f77713cf59193fe5f10b8aaf1876b0d3e7e4181ed3fae3468762698017584"
                           "36c22b81940403157446d44f04c09fd28df72c6d4021b271544055783081b7c0"
                           "46d2ac50751a0c71ec850bb7d16a679a66901eee05389d4615940efd89c0182f"
                           "debcfbf3527cc768c5ec6cb5b6cc10a674390745d8612d0920187df658d3b7ef"},
};

enum { SLH_DSA_ANSWER_COUNT = sizeof(slh_dsa_answers) / sizeof(slh_dsa_answers[0]) };

// ML-DSA: of Wycheproof (mldsa_*_sign_seed_test.json): the SHA-256 of the public key of a seed, and of the
// deterministic signature of a message with a context.
struct ml_dsa_answer {
    const char *algorithm;
    const char *seed;
    const char *public_key_sha256;
    const char *message; // hex, as all
    const char *context;
    const char *signature_sha256;
};

static const struct ml_dsa_answer ml_dsa_answers[] = {
    {"ML-DSA-44", "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a",
     "d87f8ca136ac1aa55e2d6c4521680efb3a378cbb9bc0bfb446e9c60893931ea3", "48656c6c6f20776f726c64", "",
     "8cd6fc03daa72e87210a4e721523e84c14f27733789075e65736744d4787fdd5"},
    {"ML-DSA-44", "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a",
     "d87f8ca136ac1aa55e2d6c4521680efb3a378cbb9bc0bfb446e9c60893931ea3", "48656c6c6f20776f726c64",
     "436f6e74657874", "17749906eeb78bc6c57e549c237b4d2a27a011edac02bd1ad7e6534795e8ceff"},
    {"ML-DSA-65", "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a",
     "b7acce2ddb11f8cc1aa46e2bafac6eacfa2b732ef192bd636ad8d3a56d649c66", "48656c6c6f20776f726c64", "",
     "39fbbb0d97a52c79844213b325af823a7f16a174e00a5b3daeb3e6e6d1c89681"},
    {"ML-DSA-65", "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a",
     "b7acce2ddb11f8cc1aa46e2bafac6eacfa2b732ef192bd636ad8d3a56d649c66", "48656c6c6f20776f726c64",
     "436f6e74657874", "c32dd9c1fdb53c049ebb75d98604d27593e32f5da2b1201c9289692de6ebea2e"},
    {"ML-DSA-87", "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a",
     "d43128fa8a8c785c1d44c9e7db538dbf9dd88fe6c8ad911a344bcec1017c6d54", "48656c6c6f20776f726c64", "",
     "1ad45bd0419e694375bd38ec11d8e0c228ab9ffac2fce4adbe6218d9c949e293"},
    {"ML-DSA-87", "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a",
     "d43128fa8a8c785c1d44c9e7db538dbf9dd88fe6c8ad911a344bcec1017c6d54", "48656c6c6f20776f726c64",
     "436f6e74657874", "94d379ab53588db6ecd6789dacb30795d1a1e227775f23b4c401149604376ea2"},
};

enum { ML_DSA_ANSWER_COUNT = sizeof(ml_dsa_answers) / sizeof(ml_dsa_answers[0]) };
