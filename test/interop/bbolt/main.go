// Bbolt itself, for the tests of server/bolt.
//
//	bbolt write FILE SEED PAGE-SIZE array|hashmap sync|nosync   makes a file by puts and deletes over many transactions
//	bbolt dump FILE                                             checks every page
//
// Both print the buckets and a SHA-256 over every record, in order.
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand"
	"os"
	"strconv"

	bolt "go.etcd.io/bbolt"
)

func main() {
	if len(os.Args) == 7 && os.Args[1] == "write" {
		seed, err := strconv.ParseInt(os.Args[3], 10, 64)
		must(err)
		pageSize, err := strconv.Atoi(os.Args[4])
		must(err)
		write(os.Args[2], seed, &bolt.Options{
			PageSize:       pageSize,
			FreelistType:   bolt.FreelistType(os.Args[5]),
			NoFreelistSync: os.Args[6] == "nosync",
		})
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "dump" {
		dump(os.Args[2])
		return
	}
	fmt.Fprintln(os.Stderr, "see main.go for how to call it")
	os.Exit(2)
}

func write(path string, seed int64, options *bolt.Options) {
	db, err := bolt.Open(path, 0o600, options)
	must(err)
	random := rand.New(rand.NewSource(seed))
	names := []string{"empty", "inline", "key", "large"}
	for round := 0; round < 40; round++ {
		must(db.Update(func(tx *bolt.Tx) error {
			for _, name := range names {
				bucket, err := tx.CreateBucketIfNotExists([]byte(name))
				must(err)
				change(bucket, name, random)
			}
			return nil
		}))
	}
	must(db.Close())
	dump(path)
}

func change(bucket *bolt.Bucket, name string, random *rand.Rand) {
	switch name {
	case "inline":
		must(bucket.Put([]byte{byte(random.Intn(4))}, bytesOf(random, 10)))
	case "key":
		for put := 0; put < 120; put++ {
			must(bucket.Put(bytesOf(random, 40), bytesOf(random, 400)))
		}
		cursor := bucket.Cursor()
		for drop := 0; drop < 40; drop++ {
			if key, _ := cursor.Seek(bytesOf(random, 3)); key != nil {
				must(cursor.Delete())
			}
		}
	case "large":
		must(bucket.Put([]byte{byte(random.Intn(6))}, bytesOf(random, 60_000)))
	}
}

func bytesOf(random *rand.Rand, limit int) []byte {
	bytes := make([]byte, 1+random.Intn(limit))
	random.Read(bytes)
	return bytes
}

func dump(path string) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, PreLoadFreelist: true})
	must(err)
	must(db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			must(err)
		}
		return tx.ForEach(func(name []byte, bucket *bolt.Bucket) error {
			hash := sha256.New()
			records := 0
			must(bucket.ForEach(func(key, value []byte) error {
				var sizes [8]byte
				binary.BigEndian.PutUint32(sizes[:], uint32(len(key)))
				binary.BigEndian.PutUint32(sizes[4:], uint32(len(value)))
				hash.Write(sizes[:])
				hash.Write(key)
				hash.Write(value)
				records++
				return nil
			}))
			fmt.Printf("%s %d %x\n", name, records, hash.Sum(nil))
			return nil
		})
	}))
	must(db.Close())
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
