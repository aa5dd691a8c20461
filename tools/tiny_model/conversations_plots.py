"""This module holds the plots of the English stories: what goes wrong, what is tried, and how it ends.

The slots: <name> the <hero>, <she>, <her> and <pos> (her as in "her hat"), <friend> a <kind> who helps, <thing> a thing, <home> a place ("in a
village"), <fear> and <wish> as they follow "afraid of" and "wanted to".
"""

__all__ = ["ENDINGS", "OPENINGS", "PLOTS"]

OPENINGS = (
    "{Once upon a time there was|Once there was|Long ago there was|There was once} a {little|young|small|quiet|cheerful|curious} <hero> called <name>, who lived <home>.",
    "{In the days when the nights were still dark|Not so long ago|Many years ago|Once upon a time}, a {little|young|small|gentle|curious} <hero> named <name> lived <home>.",
    "<Name> was a {little|young|small|kind|curious} <hero> who lived <home>.",
)

ENDINGS = (
    (
        "{And if you are very quiet at night, you can still hear <name> laugh.|And from that day on, nobody there ever felt alone again.|"
        "That night <name> slept well, and the moon kept watch.|And <name> smiled for a long, long time.|"
        "And whenever it rains there, people still tell this story.|And that is how the smallest <hero> of all became the bravest.}"
    ),
)

# Each plot has three parts, each of them a paragraph: the trouble, the turn, the end.
PLOTS: dict[str, tuple[str, str, str]] = {
    "lost": (
        (
            "<Name> owned only one {treasure|precious thing}: <a thing>. {Every evening <she> took it out and looked at it.|It had been a present from <pos> grandmother.} "
            "But one {windy|grey|cold} morning the <thing> was gone. <Name> looked {under the bed|behind the door|in every drawer}, {in the garden|on the roof|along the fence} and even {in the well|in the chimney|under the stairs}. It was nowhere. <She> sat down on the step and {began to cry|sighed deeply}."
        ),
        (
            '"{Why are you so sad|What is the matter}?" asked <friend> the <kind>, who was passing by. <Name> told the whole story. "{Two pairs of eyes see more than one|Let us look together}," said <friend>. They followed {tiny footprints|a trail of crumbs} {across the field|through the tall grass|along the stream}, until they came to {a hollow tree|an old barn|a small cave}. '
            'There sat {a family of mice|a young bird|a little hedgehog}, {shivering|cold and hungry}, with the <thing> in the middle. "{We only wanted something beautiful to look at|We were so lonely in the dark}," {they said|came a soft voice}.'
        ),
        "<Name> was not angry any more. <She> {brought warm soup and a blanket|came back with bread and honey}, and the three of them ate together until it was late. From then on the <thing> stood {in the window|on a shelf by the door}, where everyone could see it. <Name> had found out that a treasure is worth more when it is shared.",
    ),
    "broken": (
        "Every year there was a great {feast|festival|dance}, and this year <name> was to bring the <thing>. <She> had cleaned it and polished it for a week. But on the way <she> stumbled over a {root|stone}, and the <thing> {broke into three pieces|fell and broke}. The feast was to begin {at sunset|that very evening}.",
        (
            "<Name> tried to mend the <thing> with {string|glue|wax}, but it {fell apart|broke} again. <She> tried {a nail|a ribbon|a drop of honey}, and that was even worse. <She> was ashamed and wanted to hide. At last <she> {knocked at the door of|went to} <friend>, {an old|a patient|a clever} <kind> who {knew about such things|could mend almost anything}. "
            '"{I thought I had to do it alone|I should have come earlier}," said <name>. "{Nobody has to|Nobody mends everything alone}," answered <friend>, and put on a pair of glasses. One of them held the pieces, the other one tied them. They worked until {the first star came out|the sun touched the hills}.'
        ),
        "When <name> came to the feast, everybody {saw the cracks|looked at the mended places}. But the light of the {candles|lanterns} shone through them like gold, and the people thought that the <thing> had never been so beautiful. <Name> pulled <friend> into the middle, and they danced until morning. Since then <name> has known that it is no shame to ask for help.",
    ),
    "storm": (
        "One night a terrible storm came. The wind {howled|roared} and the rain {beat against the windows|fell like stones}. Just when <name> wanted to {close the shutters|go to bed}, <she> heard somebody call, far away in the dark. It was <friend> the <kind>, who had lost the way {on the hills|between the rocks|in the woods}.",
        (
            "<Name> was {small|afraid}, and the storm was big. But <she> {took|grabbed} the <thing>, {put on a coat|wrapped a scarf around <pos> neck} and went out. The first gust {threw <her> down|almost blew <her> away}. The second one {tore at the <thing>|took <pos> hat}, but <name> held on. Step by step <she> climbed {to the top of the hill|up to the old wall}. "
            'There <she> held up the <thing> and {called as loud as <she> could|sang the loudest song <she> knew}. {The lightning made it shine|It flashed in the lightning} like a little star. For a long time there was nothing but the wind. Then a voice answered, {very near|quite close}: "I see it! I see it!"'
        ),
        "Hand in hand the two of them walked home. They {made a fire|drank hot milk}, and the storm could shout as much as it liked. In the morning the sky was {blue and clean|bright}, and the neighbours came to hear what had happened. Since that night the <thing> {hangs|stands} above the door, so that everyone who is lost can find the way.",
    ),
    "present": (
        "The next day was the birthday of <friend>, {a good-natured|an old|a funny} <kind> and the best friend that <name> had. But <name> had no present and {not a single coin|no money at all}. <She> walked through the {market|shops} and looked at {cakes|red boots|golden cups} and {silk scarves|silver bells|painted boxes}, and {everything was too dear|could buy none of them}.",
        (
            'At home <name> {looked into the old chest|searched the attic}. At the very bottom lay <a thing>, {dusty|grey with dust} and forgotten. <Name> {wiped it clean|washed it} and painted {little stars|flowers|blue waves} on it. It took {the whole night|until midnight}. But when <she> carried it outside in the morning, {some children laughed|a crow laughed}: "{What a silly present|Who would want such an old thing}!" '
            "<Name> almost turned back. Slowly, very slowly, <she> knocked at the door of <friend> and held out the <thing>."
        ),
        '<Friend> looked at it and said nothing for a long while. "{I had one just like this when I was small|My mother had one just like it}," <friend> whispered at last, "{and I have missed it all my life|and I thought I would never see one again}." There were tears of joy in the eyes of the <kind>. They ate {apple cake|sweet buns}, and the <thing> had the best place at the table. <Name> understood that a present is not what it costs, but what it says.',
    ),
    "stranger": (
        'One {foggy|rainy|snowy} evening a stranger came along the road: {a tall|an old|a tired} <kind> with <a thing> under one arm. The stranger knocked at every door, and every door stayed shut. "{Who knows what that one wants|We do not know you}," {said the people|people said through the keyhole}. <Name> {heard it all|saw it} from the window.',
        (
            '<She> thought for a moment, and then <she> opened the door. "{Come in, there is still some soup|Come in and get warm}," said <name>. The stranger {ate three bowls|drank a cup of tea} and {thanked <her> politely|told funny stories}. "My name is <friend>," said the stranger, "and this <thing> is all that I have. {It works only for those who are kind|It only shows what it can do among friends}." '
            "In the night the {river|stream} rose, and the water came nearer and nearer to the houses. Nobody noticed but <friend>, who {took the <thing> and made such a noise with it|struck the <thing> against the bell so hard} that everybody woke up."
        ),
        'They carried {the children|the hens and the children} up the hill, and they were all safe when the water came. In the morning the people {stood before <friend> with red faces|were ashamed}. "{Stay with us|Please forgive us}," they said. So <friend> stayed and moved in next door to <name>. And since then no door has been closed to anybody who knocks in the evening.',
    ),
    "fear": (
        "<Name> could {run, climb and whistle|do many things}, but there was one thing that nobody knew: <name> was afraid of <fear>. {Everybody else laughed about such things|The others were never afraid}, so <she> kept it a secret. Only <a thing>, which <she> always carried with <her>, made <her> feel a little safer.",
        (
            'One evening <friend> the <kind> did not come home. {The others waited and waited.|It grew late.} "{Somebody must go and look|We must do something}," they said, but nobody moved. <Name> felt <pos> heart beat. <She> thought of <fear>, and <pos> knees shook. Then <she> thought of <friend>, {alone out there|who had always been kind}. <Name> {took the <thing> in both hands|held the <thing> tight} and went. '
            'With each step <she> {counted to three|hummed a little tune}. {At the old bridge|Behind the mill} <she> found <friend>, who had {hurt a foot|fallen into a ditch}. "{You came|You came all this way}!" said <friend>. "Were you not afraid?" "{Very much|Of course I was}," said <name>.'
        ),
        'They went home slowly, arm in arm, and the way back was only half as long. <Name> told <friend> about the fear, and <friend> {did not laugh|listened quietly}. "I am afraid of {spiders|loud noises}, you know," said the <kind>. So they made a promise: each of them would hold the other one\'s hand. <Name> was still a little afraid of <fear> after that, but being brave means to be afraid and to go all the same.',
    ),
    "wish": (
        'More than anything else, <name> wanted to <wish>. "{A <hero> cannot do that|Nobody has ever seen a <hero> do that}," said the others and {shook their heads|laughed}. But <name> {did not listen|wanted to try}. Every morning, before the others woke up, <she> went {to the meadow|behind the hill} and practised. The first day it went wrong. The tenth day it went wrong too.',
        (
            '{One day|One afternoon} <friend>, {an old|a wise} <kind>, watched <her> and said nothing. The next day <friend> brought <a thing>. "{I once had the same dream|I never dared to try}," said <friend>. "Take this, and {begin with something small|do not hurry}." With the <thing> it was {a little easier|not so hard}. <Name> fell down and got up again. <She> {laughed about the mistakes|learned from each mistake}. '
            "And when the {leaves began to fall|first snow fell}, there came a morning when everything went right."
        ),
        'At the {summer feast|winter feast} <name> stepped forward. It became very quiet. <Name> took a deep breath, thought of <friend>, and began. When it was over, nobody laughed. They {clapped until their hands hurt|threw their hats into the air}. "How did you do that?" they asked. "{I tried once more than I failed|I went on when it was hard}," said <name>. And the next morning there were three little ones on the meadow, waiting to learn.',
    ),
    "map": (
        'One day <name> found {a folded paper|an old map} under <a thing>. There was a {path|red line} on it, {a river, a forest|a hill, a bridge} and a cross at the end. "A treasure!" cried <name>. <She> packed {bread and cheese|three apples}, took the <thing> and set out at once, together with <friend> the <kind>.',
        (
            'The path was long. At the {river|stream} there was no bridge, so they {built a raft|jumped from stone to stone}. In the forest they {heard strange sounds|lost their way}, and <friend> wanted to go home. "{One more hill|Only a little further}," said <name>. They shared the last {piece of bread|apple}, {told each other stories|sang to forget how tired they were}, and slept under the stars. '
            'On the third day they came to the place with the cross. They dug and dug, and found {a wooden box|an iron box}. Inside there was no gold. There was only a {handful of seeds|small bag of seeds} and a note: "{Whoever comes this far is rich enough to give something away|Plant me where people are sad}."'
        ),
        '<Friend> was disappointed, but <name> {laughed|had an idea}. They carried the seeds home and planted them around every house. In spring {yellow|red and blue} flowers came up wherever one looked, and people stopped to {smile|talk}. "Do you know what the best part was?" asked <name>. "The way," said <friend>. "{The way, with you|Because we went together}."',
    ),
    "star": (
        'One {clear|warm|silent} night a star fell from the sky, right into the {garden|pond} behind the house. <Name> ran outside. The star was no bigger than an apple, and {it was crying|its light was weak}. "{I want to go home|I slipped and fell}," it said. "But {I cannot climb so high|the sky is so far away}!"',
        (
            '<Name> wrapped the star in a cloth, took <a thing> along for luck and went {up the hill|to the highest tower}. But the sky was still too far away. <She> asked <friend> the <kind>, who {knew many things|was very old and wise}. "{A star is as heavy as its sorrow|It can only fly when it is happy}," said <friend>. So they sat down around it. <Friend> told {jokes|the oldest stories}, and <name> {danced with the <thing> in the grass|swung the <thing> like a flag}. '
            "At first the star only {blinked|smiled a little}. Then it {giggled|began to laugh}, and with every laugh it became brighter and lighter."
        ),
        'Suddenly it rose into the air. "{Thank you|I will never forget you}!" it called, and it rose higher and higher, until it was {back in its place|home again}. <Name> waved until <pos> arm was tired. Since then there is one star that shines {a bit brighter|just a little brighter} than the others. And when <name> is sad, <she> looks up, and the star tells <her> a joke.',
    ),
    "race": (
        "Every {spring|autumn} there was a great race {around the lake|over the hills}, and the prize was <a thing>. <Name> wanted it more than anything. <She> trained {in the rain|every day} and ate {porridge|carrots} in the morning. Only one runner was faster: <friend> the <kind>, who had won {three times|every year} and {boasted about it|was very proud}.",
        (
            "On the day of the race all of them {stood at the line|were there}. Off they went! <Friend> was in front at once, and <name> close behind. They ran {past the mill|through the mud}, {over the bridge|up the steep hill}, nearer and nearer to the end. Then <name> heard a cry. <Friend> had {slipped|fallen} and could not get up. The way to the <thing> was free. "
            '<Name> ran on, {five steps|ten steps}. Then <she> {stopped|turned around}. "{Lean on me|Give me your arm}," said <name>. "But then you will lose," said <friend>. "{Perhaps|I know}," said <name>.'
        ),
        'The others {ran past them|were faster}. Very slowly the two of them walked to the end, as the last of all, and {the people cheered louder than ever|everyone stood up and cheered}. The winner, {a small mouse|a shy rabbit}, looked at the <thing> and then at them. "I think it is yours," the winner said. So now the <thing> {goes from house to house|belongs to all of them}, and <name> has something better: a friend to run with.',
    ),
}
