"""What the end-to-end tests are made of: certificates, peers, clients, captures, network namespaces and the
oriel under test. Nothing here knows more of oriel than its command line, its files and what it prints."""
