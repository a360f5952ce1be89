// Checks a log of ours with the Go project's own packages: golang.org/x/mod/sumdb/tlog and .../note.
//
// Usage: check FOLDER KEY FORMERSIZE... < PROOFS
//
// FOLDER is laid out as C2SP tlog-tiles says, KEY is a verifier key of a signed note. Standard input has one
// tlog-proof text after the other, each behind a line "proof LENGTH LEAF" (bytes, hexadecimal), and lines
// "consistency OLD NEW OLDROOT HASH..." (base64). Whatever does not hold ends the program with a sentence and status 1.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func fail(format string, values ...interface{}) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}

func must(err error, what string) {
	if err != nil {
		fail("%s: %v", what, err)
	}
}

func number(text string) int64 {
	value, err := strconv.ParseInt(text, 10, 64)
	must(err, "number")
	return value
}

func hash(text string) tlog.Hash {
	value, err := tlog.ParseHash(text)
	must(err, "hash")
	return value
}

// openCheckpoint verifies a signed note and reads a checkpoint out of it.
func openCheckpoint(signed []byte, verifier note.Verifier) tlog.Tree {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	must(err, "note")
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		fail("the checkpoint is of %q", lines[0])
	}
	return tlog.Tree{N: number(lines[1]), Hash: hash(lines[2])}
}

// tileFiles reads tiles as tlog-tiles names them: without the height in the path.
type tileFiles struct{ folder string }

func (t tileFiles) Height() int { return height }

func (t tileFiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tileFiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		content, err := os.ReadFile(t.path(tile))
		if os.IsNotExist(err) && tile.W < 1<<height {
			full := tile
			full.W = 1 << height
			content, err = os.ReadFile(t.path(full))
			if err == nil {
				content = content[:tile.W*tlog.HashSize]
			}
		}
		if err != nil {
			return nil, err
		}
		all = append(all, content)
	}
	return all, nil
}

func (t tileFiles) path(tile tlog.Tile) string {
	return filepath.Join(t.folder, "tile", strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height)))
}

// readEntries reads every entry below a size out of the bundles.
func readEntries(folder string, size int64) [][]byte {
	var entries [][]byte
	for index := int64(0); index<<height < size; index++ {
		width := 1 << height
		if rest := size - index<<height; rest < int64(width) {
			width = int(rest)
		}
		name := strings.TrimPrefix(tlog.Tile{H: height, L: 0, N: index, W: width}.Path(), fmt.Sprintf("tile/%d/0/", height))
		bundle, err := os.ReadFile(filepath.Join(folder, "tile", "entries", name))
		must(err, "entries")
		for len(bundle) > 0 {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				fail("an entry of bundle %s is cut off", name)
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			entries = append(entries, bundle[2:end])
			bundle = bundle[end:]
		}
	}
	if int64(len(entries)) != size {
		fail("%d entries instead of %d", len(entries), size)
	}
	return entries
}

func main() {
	folder := os.Args[1]
	verifier, err := note.NewVerifier(os.Args[2])
	must(err, "key")
	signed, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	must(err, "checkpoint")
	tree := openCheckpoint(signed, verifier)

	// The whole tree again from its entries.
	var stored []tlog.Hash
	own := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, index := range indexes {
			found = append(found, stored[index])
		}
		return found, nil
	})
	entries := readEntries(folder, tree.N)
	for at, entry := range entries {
		hashes, err := tlog.StoredHashes(int64(at), entry, own)
		must(err, "hashing")
		stored = append(stored, hashes...)
	}
	root, err := tlog.TreeHash(tree.N, own)
	must(err, "root")
	if root != tree.Hash {
		fail("the entries have the root %v, and %v was signed", root, tree.Hash)
	}

	// Every tile, as the reader of the Go checksum database checks it.
	published := tlog.TileHashReader(tree, tileFiles{folder})
	for at := int64(0); at < tree.N; at += 1 << height {
		width := tree.N - at
		if width > 1<<height {
			width = 1 << height
		}
		var indexes []int64
		for place := int64(0); place < width; place++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, at+place))
		}
		found, err := published.ReadHashes(indexes)
		must(err, "tiles")
		for place, one := range found {
			if one != stored[indexes[place]] {
				fail("the tile over leaf %d has another hash", at+int64(place))
			}
		}
	}

	// Its growth, from tiles alone.
	for _, text := range os.Args[3:] {
		old := number(text)
		proof, err := tlog.ProveTree(tree.N, old, published)
		must(err, "proving growth")
		before, err := tlog.TreeHash(old, own)
		must(err, "old root")
		must(tlog.CheckTree(proof, tree.N, tree.Hash, old, before), "growth")
	}

	// Proofs that are not of its own making.
	proofs := checkGiven(bufio.NewReader(os.Stdin), verifier, own)
	fmt.Printf("%s %d leaves, %d proofs\n", verifier.Name(), tree.N, proofs)
}

func checkGiven(input *bufio.Reader, verifier note.Verifier, own tlog.HashReader) int {
	count := 0
	for {
		line, err := input.ReadString('\n')
		if err == io.EOF {
			return count
		}
		must(err, "input")
		words := strings.Fields(line)
		count++
		if words[0] == "consistency" {
			var proof tlog.TreeProof
			for _, word := range words[4:] {
				proof = append(proof, hash(word))
			}
			root, err := tlog.TreeHash(number(words[2]), own)
			must(err, "root")
			must(tlog.CheckTree(proof, number(words[2]), root, number(words[1]), hash(words[3])), "given growth")
			continue
		}
		text := make([]byte, number(words[1]))
		_, err = io.ReadFull(input, text)
		must(err, "input")
		leaf, err := hex.DecodeString(words[2])
		must(err, "leaf")
		checkProof(string(text), leaf, verifier)
	}
}

// checkProof checks a C2SP tlog-proof.
func checkProof(text string, leaf []byte, verifier note.Verifier) {
	parts := strings.SplitN(text, "\n\n", 2)
	lines := strings.Split(parts[0], "\n")
	if len(parts) != 2 || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		fail("not a proof: %q", text)
	}
	tree := openCheckpoint([]byte(parts[1]), verifier)
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		value, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(value) != tlog.HashSize {
			fail("a line of the proof is no hash")
		}
		var one tlog.Hash
		copy(one[:], value)
		proof = append(proof, one)
	}
	at := number(strings.TrimPrefix(lines[1], "index "))
	must(tlog.CheckRecord(proof, tree.N, tree.Hash, at, tlog.RecordHash(leaf)), "proof")
}
