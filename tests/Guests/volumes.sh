# Makes a volume of ext4, mounts it by a loop device and runs the program of volumes.c there: volumes.sh PROGRAM
set -e
folder=$(mktemp -d)
truncate -s 16M "$folder/image"
mkfs.ext4 -q -b 4096 -O ^has_journal "$folder/image"
mkdir "$folder/volume"
mount -o loop "$folder/image" "$folder/volume"
code=0
"$1" "$folder/volume" || code=$?
umount "$folder/volume"
rm -r "$folder"
exit "$code"
