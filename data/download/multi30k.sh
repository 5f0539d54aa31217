#!/usr/bin/env bash
# Flickr30k's captions without a form: Multi30k's five English captions for each of 31,014 images.
#   bash data/download/multi30k.sh [FOLDER]
source "$(dirname "${BASH_SOURCE[0]}")/fetch.sh"
dataset flickr30k data/multi30k "$@"
by_hand="take data/task2/raw/*.en.gz of the repository github.com/multi30k/dataset, and the image names of its
    data/task1/image_splits as SPLIT.images.txt, into $folder"
repository=https://raw.githubusercontent.com/multi30k/dataset/master/data
task=$repository/task2 images=$repository/task1/image_splits
# the sums were measured on a copy of the repository
fetch $task/raw/train.1.en.gz sha256=a0e057f07a9733199c0d755d77f6d583dc6f40a3180734b1130a216e2fdf3a3b
fetch $task/raw/train.2.en.gz sha256=d79dd70a9eafb2d1fe40151621278c4ae69b3c148c5052a53d7c7a41bf3ba023
fetch $task/raw/train.3.en.gz sha256=86e16fdcc699bcb6bca0f87c3cf1051f7de5ee3674dd588cedc5200194282749
fetch $task/raw/train.4.en.gz sha256=3771b84e010ad6197806d2a1188cb07c12149e3e0d178dd5966dee5763733686
fetch $task/raw/train.5.en.gz sha256=73988689307fe836994eae59735dc840c15da9775455fa76e6ed22606a042a91
fetch $task/raw/val.1.en.gz sha256=4ce8f8ffbef4a1c066e3f35a5ffc764666c26c318a733d9bdc6349577f1c6f9c
fetch $task/raw/val.2.en.gz sha256=4103944d652127e5af33ba2761d71cb6c0e1509c1a67d4387dc67ad768cfb752
fetch $task/raw/val.3.en.gz sha256=6ecd848713d98faa9c6db2e9e457a778335358e6e3a4743cf4e929a0516e399a
fetch $task/raw/val.4.en.gz sha256=bfab4f0cbdac6233f206bbbfbd324dc02b258e291c3f410a69f9884171008788
fetch $task/raw/val.5.en.gz sha256=4b6a6541b7b58d545eff7feead4187aeb0439a7178a7bed6951121e0ecbaee66
fetch $task/raw/test_2016.1.en.gz sha256=bf64274c8e1f73ba57d47409f707a640b3874a06e7e83adfb5a6d4c055bc6b29
fetch $task/raw/test_2016.2.en.gz sha256=36c12dac199e336e74ebe91c5240a1c6cefce7af2a3f3a2054d184947932bc3c
fetch $task/raw/test_2016.3.en.gz sha256=2188662d22b01c5ecf7ae6a7c003b45fc83c510d34999c2340078e75088b0f1f
fetch $task/raw/test_2016.4.en.gz sha256=dcb6a0ad2ae40f54a1f9e9f20d3146c7f0a662feece2e78d2d511667bf229f08
fetch $task/raw/test_2016.5.en.gz sha256=60e31317f0d960aed273d8ec527411935fb1ff3dee2c9cc9572259739ff193c0
fetch $images/train.txt train.images.txt \
    sha256=97ee57e160a46c7d0e75298ebf57967e1245698a6f8806436ff07e61d1a41221
fetch $images/val.txt val.images.txt \
    sha256=db26f03eaf833ec47bfaea129ed053b68cbcfc5d1f9a09c4cdf7c88fbfea7108
fetch $images/test_2016_flickr.txt test_2016.images.txt \
    sha256=871e8ecafc66fb13e044ecccf669d04a865b4c58553227df86b933f0337a1563
expect {train,val,test_2016}.{1,2,3,4,5}.en.gz {train,val,test_2016}.images.txt
